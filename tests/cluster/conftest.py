"""A Slurm of one machine, private to the tests: its own munge key, sockets, ports and configuration."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "scancel")
CONFIGURATION = """\
ClusterName=private
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CryptoType=crypto/munge
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/completed.txt
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MaxArraySize={array_size}
KillWait=5
MinJobAge=100000
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=8000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
PATIENCE = 240  # seconds; far beyond what any of it takes


@dataclass
class Slurm:
    """The running daemons, and how to speak with them."""

    folder: Path
    environment: dict[str, str]

    def ask(self, *words, **options):
        """Run one of Slurm's programs, or another that speaks with it; its output."""
        done = subprocess.run(
            [*map(str, words)], env=self.environment, capture_output=True, text=True, check=False, **options
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def jobs(self):
        """What Slurm knows of every job, newest last, as dictionaries of scontrol's own words."""
        told = self.ask("scontrol", "--oneliner", "show", "jobs")
        lines = [line for line in told.splitlines() if line.startswith("JobId=")]
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]

    def wait(self, holds, what):
        """Look until something holds; what the daemons logged if it never does."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if found := holds():
                return found
            time.sleep(0.2)
        logs = "\n".join(path.read_text() for path in sorted(self.folder.glob("slurm*.log")))
        pytest.fail(f"{what}: not within {PATIENCE} s\n{self.jobs()}\n{logs[-6000:]}")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """Start munged, slurmctld and slurmd; stop them at the end. Arrays have three tasks at most."""
    path = os.environ["PATH"] + os.pathsep + "/usr/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        pytest.skip(
            f"a real Slurm is needed (Debian: slurm-wlm), and these are missing: {', '.join(missing)}"
        )
    if os.getuid() != 0:
        pytest.skip("slurmd runs jobs of its own user only as root; these tests start it as root")
    folder = tmp_path_factory.mktemp("slurm")
    folder.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(64))
    (folder / "munge.key").chmod(0o400)
    host = socket.gethostname().split(".")[0]
    text = CONFIGURATION.format(
        host=host,
        user=getpass.getuser(),
        folder=folder,
        ports=free_ports(2),
        cpus=os.cpu_count(),
        array_size=3,
    )
    (folder / "slurm.conf").write_text(text)
    environment = {**os.environ, "PATH": path, "SLURM_CONF": str(folder / "slurm.conf")}
    environment = {k: v for k, v in environment.items() if not k.startswith("PYTEST_")}
    daemons = [
        ("munged", "--foreground", "--force", f"--socket={folder}/munge.socket"),
        ("slurmctld", "-D"),
        ("slurmd", "-D", "-N", host),
    ]
    daemons[0] += tuple(
        f"--{word}={folder}/munge.{end}"
        for word, end in (
            ("key-file", "key"),
            ("pid-file", "pid"),
            ("seed-file", "seed"),
            ("log-file", "log"),
        )
    )
    running = []
    try:
        slurm = Slurm(folder, environment)
        for words in daemons:
            program = shutil.which(words[0], path=path)
            said = (folder / f"{words[0]}.said").open("wb")
            running.append(subprocess.Popen([program, *words[1:]], env=environment, stdout=said, stderr=said))
            said.close()
            if words[0] == "munged":
                slurm.wait(lambda: (folder / "munge.socket").exists(), "munged")
        slurm.wait(lambda: "State=IDLE" in _node(slurm), "the node comes up")
        yield slurm
    finally:
        for process in reversed(running):
            process.terminate()
        for process in reversed(running):
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _node(slurm):
    done = subprocess.run(
        ["scontrol", "show", "node"], env=slurm.environment, capture_output=True, text=True, check=False
    )
    return done.stdout
