"""Stand-ins for SLURM's commands, which run jobs on this machine as the user of the test.

`install` writes the commands into a folder. Beside them, ID.pid has the process of a job's step,
and ID.state its state.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = ("sbatch", "srun", "scancel", "scontrol", "sacct")


def install(folder: Path) -> None:
    for name in COMMANDS:
        path = folder / name
        path.write_text(f"#!{sys.executable}\n{Path(__file__).read_text(encoding='utf-8')}")
        path.chmod(0o755)


def sbatch(folder: Path, arguments: list[str]) -> None:
    """Start a controller for each job of the array, and print the number of the array."""
    if arguments[0] == "--controller":
        return control(folder, *arguments[1:])
    script = Path(arguments[0])
    if "partition=full" in script.read_text(encoding="utf-8"):
        sys.exit("sbatch: error: invalid partition specified: full")
    number = str(len([*folder.glob("*.sh")]) + 1)
    copy = folder / f"{number}.sh"
    copy.write_text(script.read_text(encoding="utf-8"))
    array = re.search(r"--array=0-(\d+)", copy.read_text(encoding="utf-8"))
    indices = [f"_{index}" for index in range(int(array[1]) + 1)] if array else [""]
    for index in indices:
        subprocess.Popen(
            [sys.executable, __file__, "--controller", f"{number}{index}", str(copy)],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    sys.stdout.write(f"Submitted batch job {number}" + "\n")
    return None


def control(folder: Path, job: str, script: str) -> None:
    """Run a job, again whenever it is requeued."""
    number, _, index = job.partition("_")
    array = {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": index} if index else {}
    env = {**os.environ, **array, "SLURM_JOB_ID": job, "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}
    state, requeue = folder / f"{job}.state", folder / f"{job}.requeue"
    while True:
        state.write_text("RUNNING")
        code = subprocess.run(["bash", script], env=env, check=False).returncode
        if not requeue.exists():
            break
        requeue.unlink()
    state.write_text("COMPLETED" if code == 0 else "FAILED")


def srun(folder: Path, arguments: list[str]) -> None:
    """Become the step of the job, with its output in the files that the arguments name."""
    job = os.environ["SLURM_JOB_ID"]
    names = {"%A": job.partition("_")[0], "%a": job.partition("_")[2], "%j": job, "%t": "0"}
    command = arguments[arguments.index("--error") + 2 :]
    for option, descriptor in (("--output", 1), ("--error", 2)):
        path = re.sub("%[Aajt]", lambda m: names[m[0]], arguments[arguments.index(option) + 1])
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    (folder / f"{job}.pid").write_text(str(os.getpid()))
    os.execvp(command[0], command)


def scancel(folder: Path, arguments: list[str]) -> None:
    name = "TERM"
    if arguments[0].startswith("--signal="):
        name = arguments.pop(0).partition("=")[2]
    pids = [int((folder / f"{job}.pid").read_text(encoding="utf-8")) for job in arguments]
    for number in [signal.Signals[f"SIG{name}"], *[signal.SIGKILL] * (name == "TERM")]:
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        time.sleep(0.1)


def scontrol(folder: Path, arguments: list[str]) -> None:
    assert arguments[0] == "requeue"
    (folder / f"{arguments[1]}.requeue").touch()


def sacct(folder: Path, arguments: list[str]) -> None:
    sys.stdout.write("JobID|State|NodeList" + "\n")
    for path in folder.glob("*.state"):
        sys.stdout.write(f"{path.stem}|{path.read_text(encoding='utf-8')}|here" + "\n")


if __name__ == "__main__":
    place = Path(__file__)
    {function.__name__: function for function in (sbatch, srun, scancel, scontrol, sacct)}[
        place.name
    ](place.parent, sys.argv[1:])
