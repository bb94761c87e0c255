#!/bin/bash
# A kernel matrix as an array of 16 independent jobs, then one that joins them after checking every part.
#   parts=$(sbatch --parsable docs/slurm/kernel.sh) && sbatch --dependency=afterok:$parts --array=0 docs/slurm/kernel.sh join
# A part that was cut off is given again: sbatch --array=5 docs/slurm/kernel.sh; it goes on where it was.
#SBATCH --job-name=kernel
#SBATCH --array=1-16
#SBATCH --cpus-per-task=8
#SBATCH --time=02:00:00
set -euo pipefail

if [[ ${1:-} == join ]]; then
    exec gramstep kernel --join part-*.npy --out kernel.npy
fi
exec gramstep kernel --data big.csv --infinite ntk:depth=3:relu --precision f32 \
    --tile "$SLURM_ARRAY_TASK_ID/16" --out "part-$SLURM_ARRAY_TASK_ID.npy" --threads "$SLURM_CPUS_PER_TASK" --quiet
