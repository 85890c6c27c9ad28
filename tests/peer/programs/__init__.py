"""Programs that JAX and Viva both have: those of NAME.py stand in NAME.cpp under the same names."""
