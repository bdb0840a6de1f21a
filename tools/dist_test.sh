#!/usr/bin/env bash
# usage: tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [test.py arguments]
# Several nodes: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each of them.
set -euo pipefail

CONFIG=${1:?usage: dist_test.sh CONFIG CHECKPOINT PROCESSES [test.py arguments]}
CHECKPOINT=${2:?usage: dist_test.sh CONFIG CHECKPOINT PROCESSES [test.py arguments]}
PROCESSES=${3:?usage: dist_test.sh CONFIG CHECKPOINT PROCESSES [test.py arguments]}
shift 3
NNODES=${NNODES:-1}
NODE_RANK=${NODE_RANK:-0}
MASTER_ADDR=${MASTER_ADDR:-127.0.0.1}
PORT=${PORT:-29500}

here=$(cd "$(dirname "$0")" && pwd)
# One OpenMP team for each process, not one of all cores for each.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec python -m torch.distributed.run --nnodes="$NNODES" --node_rank="$NODE_RANK" \
    --master_addr="$MASTER_ADDR" --master_port="$PORT" --nproc_per_node="$PROCESSES" \
    "$here/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "$@"
