"""``smartgrid backtest``: how good it would have been, judged on rows that were not learnt from."""

import typer

from smartgrid.cli.backtest_arbitrage import arbitrage
from smartgrid.cli.backtest_fdia import fdia
from smartgrid.cli.backtest_forecast import forecast

app = typer.Typer(no_args_is_help=True, help="Backtests on your own data, free of leaks.")
app.command("forecast")(forecast)
app.command("arbitrage")(arbitrage)
app.command("fdia")(fdia)
