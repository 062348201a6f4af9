"""`RESULTS.md` from what the sections have kept (pure but for reading and writing files)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import bars, plots
from benchmarks.programs import PROGRAMS
from benchmarks.record import RESULTS, Result, kept

PAGE = Path(__file__).parent / "RESULTS.md"
ORDER = (
    "small",
    "tiny",
    "large",
    "arrivals",
    "one-connection",
    "iq",
    "zipf",
    "memory",
    "health",
    "batch",
    "overload",
)

REPORTS = {
    "loadtest-demo.md": ("Load test of the demo model", "make loadtest"),
    "loadtest-tiny.md": ("Load test of ConvNeXt-Tiny", 'make loadtest ARGS="--model tiny"'),
    "capacity.md": ("Capacity with the demo model", "fixgate capacity localization --report capacity.md"),
}
"""Reports that other commands write beside the sections': file, title, command."""

HEAD = """# Results

Written by `make bench` ([how it measures](README.md)). Every comparison alternates its sides within one run;
figures are medians over the rounds, with the range in brackets, and a bar is compared with the median. No row
has a failed request: a section with one ends in an error instead. Figures of one machine are good for ratios.
A load average well above 0 before a section means that others were using the machine: then even ratios are
only a hint, since what is spread over more processes gets more of a crowded machine.

"""


def write(folder: Path = RESULTS, page: Path = PAGE) -> None:
    """Make the page and its plots anew."""
    results = kept(folder)
    figures = {key: values for result in results.values() for key, values in result.figures.items()}
    for program in PROGRAMS:
        figures |= program.figures(folder)
    sections = []
    for name in sorted(results, key=lambda one: ORDER.index(one) if one in ORDER else len(ORDER)):
        result = results[name]
        names = [f"{result.section}{place or ''}.svg" for place in range(len(result.plots))]
        for file, plot in zip(names, result.plots, strict=True):
            (folder / file).write_text(plots.draw(plot))
        sections.append(section(result, [f"{folder.name}/{file}" for file in names]))
    page.write_text("\n".join([HEAD + bars_table(figures), *sections, others(folder)]))


def bars_table(figures: Mapping[str, Sequence[float]]) -> str:
    """Each bar with its figure beside it."""
    heading = ("#", "what", "bar", "reach for", "figure", "")
    rows = bars.rows({key: list(values) for key, values in figures.items()})
    return "## The bars\n\n" + table(heading, rows)


def section(result: Result, pictures: Sequence[str]) -> str:
    """One section of the page."""
    taken = (
        f"{result.taken} UTC, {result.rounds} {'round' if result.rounds == 1 else 'rounds'}, load average "
        f"before: {result.load_before:g}. {result.machine}."
    )
    parts = [
        f"## {result.title}",
        result.about,
        table(result.columns, result.rows).rstrip(),
        *result.notes,
        *(f"![{result.title}]({picture})" for picture in pictures),
        f"<sub>{taken}</sub>",
    ]
    return "\n\n".join(parts) + "\n"


def others(folder: Path) -> str:
    """What programs of their own have kept."""
    links = [
        f"- [{program.title}]({folder.name}/{program.file.name}), by `python -m benchmarks.{program.module}`"
        for program in PROGRAMS
        if (folder / program.file.name).exists()
    ]
    links += [
        f"- [{title}]({folder.name}/{name}), by `{command}`"
        for name, (title, command) in REPORTS.items()
        if (folder / name).exists()
    ]
    links.append(f"- [Half an hour with faults]({folder.name}/soak/RESULTS.md), by `make soak`")
    links.append("- [Broken bodies](RESULTS-fuzz.md), by `make fuzz`")
    return "## Others\n\n" + "\n".join(links) + "\n"


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [heading, ["---"] + ["---:"] * (len(heading) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
