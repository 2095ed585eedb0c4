"""Makes a Python text environment a worker of the sparkd daemon.

A worker is a program that sparkd starts and talks to in lines of JSON over stdin and
stdout (protocol 1, docs/environments-reference.md). Subclass Env and serve it:

    import random
    import sparkd_env

    class Guess(sparkd_env.Env):
        '''Find a number between 1 and 10.'''
        splits = {"train": sparkd_env.UNBOUNDED}  # every index is a task: a seed
        max_steps = 10
        sessions = 16  # episodes that one process holds, an instance each

        def reset(self, split, index):
            self.number = random.Random(index).randint(1, 10)
            return sparkd_env.Observation("Guess.", goal="Find the number between 1 and 10.")

        def step(self, action):
            if action == str(self.number):
                return sparkd_env.Observation("Right.", reward=1.0, done=True, success=True)
            return sparkd_env.Observation("No." if action.isdigit() else "That is no number.")

    if __name__ == "__main__":
        sparkd_env.serve(Guess)

    # config.toml
    [env.guess]
    kind = "exec"
    command = ["python3", "guess.py"]
"""

from .env import UNBOUNDED, Env
from .failure import Error
from .observation import Observation
from .session import drive
from .worker import Worker, serve

__all__ = ["UNBOUNDED", "Env", "Error", "Observation", "Worker", "drive", "serve"]
