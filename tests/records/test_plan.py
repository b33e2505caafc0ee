from audioset_ml.records import plan


def test_the_shard_hash_never_changes():
  assert plan.stable_hash('06rCpqwkcDw_10000') == 11128518129919941330
