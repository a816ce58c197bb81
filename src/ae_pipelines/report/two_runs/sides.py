"""Both runs as they are compared: from their folders, and from what is on record of them."""

from ae_pipelines.base.errors import InputError
from ae_pipelines.report.options import ReportOptions
from ae_pipelines.report.two_runs.options import GIVE, WITH, CompareOptions
from ae_pipelines.report.two_runs.recorded import Recorded, Records
from ae_pipelines.report.two_runs.side import Found, Side, of_folder, of_record


def both(
    here: Found, there: Found, records: Records, options: CompareOptions, report: ReportOptions
) -> tuple[Side, Side]:
    """This run and the other one. `InputError` where one of them is not there."""
    side = of_folder(here, str(options.data_dir), _record_of(here, records), report)
    return side, _other(there, records, options, report)


def _other(there: Found, records: Records, options: CompareOptions, report: ReportOptions) -> Side:
    place = str(options.other)
    if options.run_id is None:
        return of_folder(there, place, _record_of(there, records), report)
    record = records.of(options.run_id)
    if there.latents is not None:
        return of_folder(there, place, record, report)
    if record is None or not record.metrics:
        raise InputError(
            f"{WITH}: of the run {options.run_id} nothing is left to compare with: no folder with its latents, and no "
            "metrics on record; give another run",
            options=GIVE,
        )
    return of_record(record, place)


def _record_of(found: Found, records: Records) -> Recorded | None:
    """What is on record of the run that trained the model."""
    run_id = getattr(getattr(found.autoencoder, "contract", None), "run_id", None)
    return None if run_id is None else records.of(run_id)
