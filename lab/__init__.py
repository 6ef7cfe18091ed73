"""The lab: machines for the maintainers of `harness`, which no user needs and no module of `harness` imports."""
