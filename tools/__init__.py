"""What agents may do: one file per tool, each a plain async function with typed input and output.

``contract.py`` says what a tool is; ``registry.py`` finds them through entry points (group
``smartgrid.tools``), so a third party's package adds one by being installed.
"""
