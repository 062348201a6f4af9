"""Put sync together from its options."""

import os
from dataclasses import dataclass

from contract.cpu import cores
from contract.deployment import Deployment
from sync.commands import Inbox
from sync.config import Config
from sync.desk import Desk
from sync.feed import Feed
from sync.jobs import Jobs
from sync.journal import Journal, decisions
from sync.location import open_repository
from sync.metrics import Metrics
from sync.progress import Progress
from sync.publication import Publisher
from sync.quarantine import Quarantine
from sync.reconcile import Reconciler
from sync.records import Records
from sync.registry import Registry
from sync.rollouts import Rollouts
from sync.settings import Defaults
from sync.triton import Triton
from sync.watch import Bell, Watch
from sync.work import Work


@dataclass(frozen=True, slots=True)
class Parts:
    """What has to be started and stopped."""

    watch: Watch
    inbox: Inbox
    records: Records


def assemble(config: Config, bell: Bell) -> Parts:
    """Every part, wired: nothing is read or written yet but sync's home.

    Raises:
        Misconfigured: the model repository is in object storage, and boto3 is not installed.
    """
    os.makedirs(config.home, exist_ok=True)
    registry = Registry(config.mlflow_uri, config.versions_s)
    repository = open_repository(config)
    tritons = tuple(Triton(address) for address in config.triton_http)
    feed = Feed(config.redis_url, config.home / "catalog.json", config.default_model)
    metrics = Metrics()

    def journalled(entry: Deployment) -> None:
        metrics.journal(entry)
        feed.add_to_journal(entry)

    work = Work(
        config=config,
        defaults=Defaults(config.max_batch_size, config.instances, config.threads, config.kind, cores()),
        source=registry,
        publisher=Publisher(repository, tritons, config.load_timeout_s, bell.pause),
        journal=Journal(config.home / "journal.jsonl", journalled),
        quarantine=Quarantine(config.home / "quarantine.json"),
        jobs=Jobs(bell.ring),
        progress=Progress(),
        on_refusal=metrics.refuse,
    )
    inbox = Inbox(config.redis_url, bell.ring)
    desk = Desk(
        registry=registry,
        inbox=inbox,
        journal=work.journal,
        quarantine=work.quarantine,
        catalog=lambda: feed.last,
        decided=decisions(config.home / "journal.jsonl"),
    )
    records = Records(config.redis_url)
    rollouts = Rollouts(registry, records, work.journal, work.quarantine, metrics, lambda: feed.last)
    reconciler = Reconciler(
        config,
        registry,
        repository,
        tritons,
        feed,
        work,
        asked_by=lambda move: rollouts.asked_by(move) or desk.asked_by(move),
        follow=rollouts.follow,
        routed_by=desk.routed_by,
    )
    watch = Watch(reconciler, bell, metrics, config.poll_s, desk.before_pass, desk.after_pass)
    return Parts(watch, inbox, records)
