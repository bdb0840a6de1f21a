#!/usr/bin/env bash
# usage: bash benchmarks/gpu.sh [benchmark.py gpu arguments]
# Print the speed of this GPU in at most 8 minutes, for ResNet-34 at 128 px: the bare network, training from disk (fp32,
# AMP, AMP + channels_last + compile; crops augmented or decoded on the GPU), extraction, DTW pairs/s, BiGRU.
# Lines are printed as they are measured; the exit status is 1 where a goal is missed, 124 after 8 minutes.
set -euo pipefail
exec timeout 480 python "$(cd "$(dirname "$0")" && pwd)/../tools/benchmark.py" gpu --seconds 4 "$@"
