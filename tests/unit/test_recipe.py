"""Movie recipes: what is taken, what is refused and in which words."""

import pytest
from cases.plans import Bad
from cases.recipes import BAD_RECIPES

from openflexure_timelapse.errors import InvalidRecipeError
from openflexure_timelapse.recipe import Recipe, parse_recipe


@pytest.mark.parametrize("case", BAD_RECIPES, ids=lambda case: str(case.name))
def test_bad_recipes_get_one_clear_sentence(case: Bad) -> None:
    """A bad recipe is refused at the right field, in words without jargon."""
    with pytest.raises(InvalidRecipeError) as caught:
        parse_recipe(case.data)
    assert str(caught.value) == f"The movie recipe is not valid: {case.told}."
    assert [field["field"] for field in caught.value.fields] == [case.field]


def test_an_empty_recipe_is_a_movie() -> None:
    """Nothing has to be said to get a movie."""
    assert parse_recipe({}) == Recipe()


def test_a_gif_may_have_odd_sides_and_a_budget() -> None:
    """What H.264 cannot do, a GIF can."""
    recipe = parse_recipe({"format": "gif", "width": 481, "max_mb": 2.5})
    assert (recipe.width, recipe.max_mb) == (481, 2.5)
