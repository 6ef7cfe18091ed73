"""Tests of `lab.peers`: they install and judge third-party servers."""
