"""An OpenEnv environment for the client's tests: find a number that the seed hides.

Served as a user serves one: uvicorn hunt:app.
"""

import random
from typing import Any, Optional

from openenv.core.env_server.http_server import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, Observation, State


class Guess(Action):
    guess: str


class Hint(Observation):
    text: str
    moves: list[str]
    tries: int


class Hunt(Environment):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self):
        super().__init__()
        self._state = State(step_count=0)

    def reset(self, seed: Optional[int] = None, episode_id: Optional[str] = None, **kwargs: Any) -> Hint:
        self._state = State(episode_id=episode_id, step_count=0)
        self._random = random.Random(seed)
        self._hidden = self._random.randint(1, 100)
        self._low, self._high = 1, 100
        return self._hint("I think of a number.", 0.0, False)

    def step(self, action: Guess, timeout_s: Optional[float] = None, **kwargs: Any) -> Hint:
        self._state.step_count += 1
        if action.guess == "crash":
            raise RuntimeError("the hunter fell over")
        try:
            guess = int(action.guess)
        except ValueError:
            return self._hint("That is no number.", 0.0, False)
        if guess == self._hidden:
            return self._hint("Found!", 1.0, True)
        if guess < self._hidden:
            self._low = max(self._low, guess + 1)
        else:
            self._high = min(self._high, guess - 1)
        mood = self._random.choice(["No", "Not quite", "Wrong"])
        return self._hint(f"{mood}: it is {'more' if guess < self._hidden else 'less'}.", 0.0, False)

    def _hint(self, text: str, reward: float, done: bool) -> Hint:
        middle = (self._low + self._high) // 2
        moves = sorted({str(self._low), str(middle), str(self._high)})
        return Hint(text=text, moves=moves, tries=self._state.step_count, reward=reward, done=done)

    @property
    def state(self) -> State:
        return self._state


app = create_app(Hunt, Guess, Hint, env_name="hunt", max_concurrent_envs=64)
