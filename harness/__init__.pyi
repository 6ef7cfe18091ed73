from harness.plugin import InteractionsEmulator as InteractionsEmulator

__version__: str

__all__ = ["InteractionsEmulator", "__version__"]
