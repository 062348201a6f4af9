"""The localisation network (PyTorch): a spectrogram per receiver in, a position and its covariance out."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from demo.scene import CENTRE
from gateway.uncertainty.covariance import WGS84_A_M, WGS84_E2, metres_per_degree

_REACH_M = 75_000.0
_TYPICAL_SIGMA_M = 15_000.0
MAX_RHO = 0.99


def pool(spectrogram: Tensor) -> Tensor:
    """(N, receivers, n_mels, frames) to (N, receivers, 2·n_mels): each band's mean and deviation in time."""
    variance, mean = torch.var_mean(spectrogram, dim=-1, correction=0)
    return torch.cat([mean, variance.sqrt()], dim=-1)


class Head(nn.Module):  # type: ignore[misc]
    """Pooled features to the five numbers of a Gaussian: one encoder for all receivers, then all together."""

    def __init__(self, receivers: int, bands: int, code: int, width: int, depth: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(2 * bands, width), nn.SiLU(), nn.Linear(width, code), nn.SiLU()
        )
        self.entry = nn.Linear(receivers * code, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
            for _ in range(depth)
        )
        self.exit = nn.Linear(width, 5)

    def forward(self, pooled: Tensor) -> Tensor:
        state = self.entry(self.encoder(pooled).flatten(1))
        for block in self.blocks:
            state = state + block(state)
        raw: Tensor = self.exit(state)
        return raw


class Localizer(nn.Module):  # type: ignore[misc]
    """The exported graph: `positions` (N, 2) latitude, longitude in degrees; `uncertainties` (N, 3) σ_N, σ_E
    in metres and their correlation.
    """

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(self, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
        return to_outputs(self.head(pool(spectrogram)))


def to_outputs(raw: Tensor) -> tuple[Tensor, Tensor]:
    """The head's (N, 5) as positions (N, 2) and uncertainties (N, 3)."""
    per_degree = torch.tensor(np.stack(metres_per_degree(CENTRE[0])))
    centre = torch.tensor(CENTRE, dtype=torch.float32)
    positions = centre + raw[:, :2] * (_REACH_M / per_degree).float()
    sigmas = _TYPICAL_SIGMA_M * raw[:, 2:4].clamp(-5.0, 5.0).exp()
    rho = MAX_RHO * raw[:, 4:].tanh()
    return positions, torch.cat([sigmas, rho], dim=1)


def negative_log_likelihood(positions: Tensor, uncertainties: Tensor, truth: Tensor) -> Tensor:
    """Mean over a batch of -log of the Gaussian density (per km²) at the truth, degrees (N, 2)."""
    latitude = torch.deg2rad(positions[:, 0].detach())
    bend = 1 - WGS84_E2 * latitude.sin() ** 2
    meridian = WGS84_A_M * (1 - WGS84_E2) / bend**1.5
    parallel = WGS84_A_M / bend.sqrt() * latitude.cos()
    error = torch.deg2rad(truth - positions)
    north = error[:, 0] * meridian / uncertainties[:, 0]
    east = error[:, 1] * parallel / uncertainties[:, 1]
    rho = uncertainties[:, 2]
    free = 1 - rho**2
    mahalanobis = (north**2 - 2 * rho * north * east + east**2) / free
    log_det = 2 * (uncertainties[:, :2] / 1000).log().sum(dim=1) + free.log()
    loss: Tensor = 0.5 * (mahalanobis + log_det).mean() + math.log(2 * math.pi)
    return loss
