from agentic_atlas.cli.ids import SHORT, shortened

ONE = "tsk_01m8nc7znd88vky2p2n95413x8"


def test_ids_in_a_list_are_cut_to_what_tells_them_apart() -> None:
    assert shortened([ONE, "tsk_01m8nc7zne88vky2p2n95413x8"]) == [ONE[:SHORT], "tsk_01m8nc7zne88"]
    assert shortened([ONE, ONE[:-1] + "9"]) == [ONE, ONE[:-1] + "9"]
    assert shortened([ONE, ONE]) == [ONE[:SHORT]] * 2
    assert shortened([]) == []
