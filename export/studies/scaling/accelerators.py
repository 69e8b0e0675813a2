"""The accelerators of a simulation, which are also the options of its command."""

from __future__ import annotations

from dataclasses import dataclass

from .simulation import Cluster


@dataclass(frozen=True, kw_only=True)
class Accelerators:
    """Accelerators in hosts, and how they read images."""

    per_host: int = 8
    """Accelerators in a host."""
    float32_images_per_s: float = 938.0
    """Images of ResNet-50 that one accelerator trains on per second, in float32. The default is
    published by NVIDIA for an A100 in TF32. Other networks take time in proportion to their
    multiply-adds."""
    bfloat16_images_per_s: float = 2470.0
    """The same in bfloat16; published by NVIDIA for mixed precision."""
    link_gb_s: float = 300.0
    """Bandwidth between the accelerators of a host, in 10⁹ bytes per second and direction."""
    network_gbit_s: float = 100.0
    """Bandwidth of the network of a host, in 10⁹ bits per second."""
    latency_us: float = 20.0
    """Time until a message arrives, in microseconds."""
    cores_per_host: int = 96
    """Cores of a host that decode images."""
    storage_gb_s: float = 2.0
    """Bandwidth at which all hosts together read image files, in 10⁹ bytes per second."""
    batch_per_accelerator: int = 256
    """Images of an accelerator in a step."""

    def images_per_s(self) -> dict[str, float]:
        """Return the images of ResNet-50 per second, by precision."""
        return {"float32": self.float32_images_per_s, "bfloat16": self.bfloat16_images_per_s}

    def cluster(self, images_per_s: float, decoded_per_core_s: float) -> Cluster:
        """Return a single one of these accelerators, for a network.

        Args:
            images_per_s: What it trains on.
            decoded_per_core_s: Images that a core decodes per second.
        """
        return Cluster(
            accelerators=1,
            per_host=self.per_host,
            images_per_s=images_per_s,
            link_gb_s=self.link_gb_s,
            network_gbit_s=self.network_gbit_s,
            latency_us=self.latency_us,
            cores_per_host=self.cores_per_host,
            decoded_per_core_s=decoded_per_core_s,
            storage_gb_s=self.storage_gb_s,
        )
