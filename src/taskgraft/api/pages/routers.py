"""The routes of all pages; a new page is a line here."""

from taskgraft.api.pages import (
    assets,
    dataset_pages,
    docs,
    new_study,
    overview,
    signing_in,
    study_page,
    trainings,
)

ROUTERS = (
    assets.router,
    signing_in.router,
    overview.router,
    study_page.router,
    trainings.router,
    new_study.router,
    dataset_pages.router,
    docs.router,
)
