#!/bin/bash
# One training on 4 machines, one process each. SIGUSR1 comes two minutes before the time is over: the run keeps its model
# and a checkpoint, and the job goes into the queue again to go on from there.
#SBATCH --job-name=train
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
#SBATCH --signal=USR1@120
set -uo pipefail

run=runs/faces
if [[ -e $run/config.toml ]]; then
    what=(--resume "$run")
else
    what=(--data faces --model resnet32 --epochs 200 --out "$run")
fi
srun --mpi=pmix gramstep train --distributed --threads "$SLURM_CPUS_PER_TASK" "${what[@]}"
code=$?
# 130: ended by the signal.
[[ $code == 130 ]] && exec sbatch "$0"
exit $code
