#!/bin/bash
# One training on four hosts with four accelerators each: sbatch docs/hosts/slurm.sh
# The hosts share the folder of the environment, the images and the run folder.
#SBATCH --job-name=cnn-keras
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=12
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append

# Each task is a process with one accelerator. SIGTERM, 120 s before the limit of time, saves the
# training with exit code 143; the job is then queued again, and resumes.
srun --kill-on-bad-exit=0 .venv/bin/cnn-keras train resnet50 --data folder:/data/imagenet \
    --backend jax --precision bfloat16 --save-every 500 --out runs/resnet50
if [ $? -eq 143 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
