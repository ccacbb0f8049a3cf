//! Whole-path tests, and the tests of the house itself.
