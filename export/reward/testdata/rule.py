"""A rule for tests: sys.argv[1] says how it behaves."""

import fcntl
import json
import os
import signal
import sys
import time

mode = sys.argv[1]
mark = sys.argv[2] if len(sys.argv) > 2 else ""  # a file that is there after the first run
first = not os.path.exists(mark)


def say(**answer):
    print(json.dumps(answer), flush=True)


def shaped(t):
    """0.1 for every step that changed something, and the return."""
    rewards = [0.0 if s["observation"] == "Nothing happens." else 0.1 for s in t["steps"]]
    rewards[-1] += t["return"]
    return rewards


for n, line in enumerate(sys.stdin, 1):
    t = json.loads(line)
    i = t["id"]
    if mode == "length":
        say(id=i, reward=t["return"] - 0.01 * t["length"])
    elif mode == "shaped":
        say(id=i, rewards=shaped(t))
    elif mode == "both":
        say(id=i, rewards=shaped(t), reward=sum(shaped(t)))
    elif mode == "unflushed":
        print(json.dumps({"id": i, "reward": 1}))
    elif mode == "echo":
        print(line, file=sys.stderr, end="")
        say(id=i, reward=1)
    elif mode == "crash-once":
        if first and n == 2:
            sys.exit("out of luck")
        say(id=i, reward=n)
    elif mode == "crash":
        sys.exit("out of luck")
    elif mode == "crash-at-T2":
        sys.exit("out of luck") if t["tree"] == "T2" else say(id=i, reward=1)
    elif mode == "crash-at-end":
        say(id=i, reward=1)
    elif mode == "exit-0":
        sys.exit(0)
    elif mode == "one-answer":
        say(id=i, reward=1)
        sys.exit(0)
    elif mode == "garbage":
        print("reward: 1", flush=True)
    elif mode == "garbage-once":
        print("reward: 1", flush=True) if first else say(id=i, reward=2)
    elif mode == "empty":
        print(flush=True)
    elif mode == "nan":
        say(id=i, reward=float("nan"))
    elif mode == "infinite":
        print('{"id":"%s","reward":1e999}' % i, flush=True)
    elif mode == "silent":
        time.sleep(600)
    elif mode == "silent-once":
        time.sleep(600) if first else say(id=i, reward=3)
    elif mode == "wrong-id":
        say(id="other", reward=1)
    elif mode == "no-id":
        say(reward=1)
    elif mode == "no-reward":
        say(id=i)
    elif mode == "null":
        say(id=i, reward=None, rewards=None)
    elif mode == "twice":
        say(id=i, reward=1)
        say(id=i, reward=1)
    elif mode == "twice-at-end":
        say(id=i, reward=1)
        if n == 3:
            say(id=i, reward=1)
    elif mode == "too-few":
        say(id=i, rewards=[1])
    elif mode == "disagree":
        say(id=i, rewards=shaped(t), reward=17)
    elif mode == "quarrel":
        say(id=i, rewards=[n] * t["length"])
    elif mode == "mixed":
        say(id=i, reward=1) if n == 2 else say(id=i, rewards=[0.5] * t["length"])
    elif mode == "endless-line":
        while True:
            sys.stdout.write("x" * 65536)
    elif mode == "endless-lines":
        while True:
            print("{}")
    elif mode == "closed-input":
        os.close(0)
        time.sleep(600)
    elif mode == "closed-output":
        os.close(1)
        time.sleep(600)
    elif mode == "child":
        lock = open(mark, "w")  # held until parent and child are gone
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fork() == 0:
            say(id=i)  # the child runs
        time.sleep(600)
    elif mode == "daemon":
        lock = open(mark, "w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                os.closerange(0, 3)
                time.sleep(600)
            os._exit(0)
        os.wait()
        say(id=i)
    else:
        say(id=i, reward=1)

if mode == "crash-at-end":
    sys.exit(7)
if mode == "stay":
    time.sleep(600)
