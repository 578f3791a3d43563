"""`bouted why`: what binds a plan, what more would buy, why not another GPU, and what was assumed."""

import json
from contextlib import closing

import click

from bouted.cli.place import Place, pass_place, place_options


@click.command()
@click.argument("plan_id", metavar="[PLAN]", required=False)
@click.option("--gpu", metavar="GPU", help="Only why this GPU type is not in the plan.")
@place_options
@click.option("--json", "as_json", is_flag=True, help="As JSON, with stable keys.")
@pass_place
def why(place: Place, plan_id: str | None, gpu: str | None, as_json: bool) -> None:
    """Tell why a plan is as it is, and what would change it.

    Of the plan in force, else of the newest proposed one, else of PLAN (the start of its id is enough).
    It says which constraint binds and what a little more of each would buy, why no other GPU type is used,
    and where every figure came from. The problem is solved again with one thing changed at a time, which
    takes some seconds; nothing is started or stored.
    """
    from bouted.cli.progress import ProgressLine
    from bouted.cli.unheard import solvers_unheard
    from bouted.cli.which_plan import stored_plan
    from bouted.cli.why_document import why_document
    from bouted.cli.why_text import why_text
    from bouted.planner.why import named, why_not
    from bouted.planner.why import why as answers

    with closing(place.store()) as store:
        found = stored_plan(store, plan_id)
    with ProgressLine() as line, solvers_unheard():
        if gpu is not None:
            told = why_not(found.problem, found.plan, named(found.problem, gpu))
        else:
            told = answers(
                found.problem,
                found.frontier,
                found.plan,
                lambda done, total: line.show(f"what if: {done} of {total} questions answered"),
            )
    click.echo(json.dumps(why_document(told), indent=2) if as_json else "\n".join(why_text(told)))
