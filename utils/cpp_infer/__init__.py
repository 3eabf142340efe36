"""The C++ library of the 310 harness; of Python there is what its interpreter runs, see README.md."""
