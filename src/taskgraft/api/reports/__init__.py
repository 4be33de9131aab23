"""Reports of a study: one HTML file that needs nothing else, and its pictures as files."""

from taskgraft.api.reports.contents import Contents, Source, gather
from taskgraft.api.reports.formats import Format, converters
from taskgraft.api.reports.writing import PAGE, default_folder, write_report

__all__ = ["PAGE", "Contents", "Format", "Source", "converters", "default_folder", "gather", "write_report"]
