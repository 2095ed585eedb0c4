"""Lets `import torch` work on a machine without CUDA's libraries.

The torch of the package index is linked against CUDA: without libcudart and a dozen
others its import fails, even for work on the CPU alone. This module compiles empty
stand-ins for exactly the libraries and symbols that the installed torch asks for, and
puts them into its own lib folder, where its run path finds them. Every CUDA call then
answers "no device", so torch.cuda.is_available() is False and the CPU is used. It needs
gcc and binutils, takes seconds and 2 MB. For tests only: with a GPU, or with torch's CPU
build, it is not needed, and `scripts/trainers-venv` calls it only where the import fails.

    python cudastubs.py     # stubs for the torch of this interpreter
"""

import importlib.util
import re
import subprocess
from collections import defaultdict
from pathlib import Path

LIBRARY = re.compile(r"lib(cu|nv|nccl)")
SYMBOL = re.compile(r"(cu|nccl|nvrtc|nvJit|nvshmem|nvml|__cuda)")
# These return a char* that torch prints; any other answer than a string would crash it.
TEXT = re.compile(r"(Error|Status)(String|Name)$|[gG]etError(String|Name)|GetLastErrorString|getMessage")
# torch asks these whether an earlier call failed.
FINE = {"cudaGetLastError", "cudaPeekAtLastError"}

FUNCTIONS = """
static int absent(void) { return 100; } /* cudaErrorNoDevice */
static int fine(void) { return 0; }
static const char *text(void) { return "no CUDA (stub)"; }
"""


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def wanted(folder: Path) -> tuple[set[str], dict[str, set[str]]]:
    """The CUDA libraries that the shared objects of a folder need and that are not there,
    and the undefined CUDA symbols by symbol version ("" where they have none)."""
    needed, defined, undefined = set(), set(), set()
    for library in folder.glob("*.so*"):
        needed |= set(re.findall(r"NEEDED.*\[(.*?)\]", output("readelf", "-d", str(library))))
        for line in output("nm", "-D", str(library)).splitlines():
            *address, _kind, name = line.split()
            (defined if address else undefined).add(name)
    ours = {name.split("@")[0] for name in defined}
    symbols = defaultdict(set)
    for symbol in undefined:
        name, _, version = symbol.partition("@")
        if SYMBOL.match(name) and name not in ours:
            symbols[version].add(name)
    # The driver, libcuda, is looked up at run time, never linked.
    missing = {n for n in needed if LIBRARY.match(n) and n != "libcuda.so.1" and not (folder / n).exists()}
    return missing, symbols


def compile_stub(folder: Path, soname: str, versions: dict[str, set[str]]) -> None:
    """One library with the given symbols, each under its version."""

    def function(name: str) -> str:
        return "text" if TEXT.search(name) else "fine" if name in FINE else "absent"

    names = sorted(set().union(*versions.values()))
    source = FUNCTIONS + "".join(f'int {n}() __attribute__((alias("{function(n)}")));\n' for n in names)
    command = ["gcc", "-shared", "-fPIC", "-w", f"-Wl,-soname,{soname}", "-o", str(folder / soname), "-x", "c", "-"]
    script = folder / f"{soname}.map"
    try:
        if "" not in versions:
            lines = [f"{v} {{ global: {' '.join(f'{n};' for n in sorted(s))} }};\n" for v, s in versions.items()]
            script.write_text("".join(lines))
            command.append(f"-Wl,--version-script={script}")
        subprocess.run(command, input=source, text=True, check=True)
    finally:
        script.unlink(missing_ok=True)


def main() -> None:
    folder = Path(importlib.util.find_spec("torch").origin).parent / "lib"
    missing, symbols = wanted(folder)
    # Most versions are named after the library that has them, as in libcudart.so.13.
    own = {
        soname: {v: s for v, s in symbols.items() if v.split(".so")[0] == soname.split(".so")[0]} for soname in missing
    }
    owned = set().union(*own.values())
    rest = set().union(*(s for v, s in symbols.items() if v not in owned))
    for soname in sorted(missing):
        compile_stub(folder, soname, own[soname] or {"": rest})
    print(f"{len(missing)} stub libraries in {folder}")


if __name__ == "__main__":
    main()
