"""The historic way to start, from a folder that holds mlp.config: ``python pipeline.py [-r] [-u]``.

The same as the command ``mlpipeline``.
"""

from mlpipeline.cli.main import main

if __name__ == "__main__":
    main()
