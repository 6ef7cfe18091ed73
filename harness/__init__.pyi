from harness.plugin import InteractionsEmulator as Emulator

__version__: str

__all__ = ["Emulator", "__version__"]
