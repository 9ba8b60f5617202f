"""Numbers that a test makes again from a seed: SplitMix64, as GoldenNumbers in Tests/TestSupport."""
import numpy as np


def uniform(seed, count):
    """`count` numbers in [0, 1) from SplitMix64, 53 bits each."""
    with np.errstate(over="ignore"):
        state = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53
