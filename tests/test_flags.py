from qct.flags import Flag


def test_a_flag_is_stored_under_its_own_name():
    assert all(flag.key == flag.name.lower() for flag in Flag)


def test_what_a_flag_means_is_one_sentence():
    assert all(flag.meaning.endswith(".") and ". " not in flag.meaning for flag in Flag)
