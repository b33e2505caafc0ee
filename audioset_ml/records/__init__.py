"""The dataset on disk: schema, its writing shard by shard, the tf.data input."""
