"""Writes the files of this folder with NumPy. They are committed: the tests need no Python."""
import io
import pathlib
import numpy as np

here = pathlib.Path(__file__).parent
codes = ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]


def values(code):
    """0, 1, ..., 5 as a 2 x 3 array; floats and complex numbers get a fraction, bool alternates."""
    a = np.arange(6).reshape(2, 3)
    if code == "b1":
        return a % 2 == 1
    if code[0] == "c":
        return (a + 0.25 - 1j * a).astype(code)
    return (a + (0.25 if code[0] == "f" else 0)).astype(code)


for code in codes:
    np.save(here / f"{code}.npy", values(code))
    np.save(here / f"{code}_big_fortran.npy", np.asfortranarray(values(code).astype(">" + code)))
np.save(here / "fortran3.npy", np.asfortranarray(np.arange(24, dtype="i4").reshape(2, 3, 4)))
np.save(here / "scalar.npy", np.float32(2.5))
np.save(here / "empty.npy", np.zeros((0, 3), "f4"))
for version in [(2, 0), (3, 0)]:
    with open(here / f"version{version[0]}.npy", "wb") as f:
        np.lib.format.write_array(f, values("f4"), version=version)
np.save(here / "object.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
np.save(here / "text.npy", np.array(["ab", "c"]))
np.save(here / "record.npy", np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]))
x, y = np.arange(12, dtype="f4").reshape(3, 4), np.array([2, 0, 1])
np.savez(here / "stored.npz", x=x, y=y)
np.savez_compressed(here / "deflated.npz", x=x, y=y)
