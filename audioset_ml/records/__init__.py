"""The dataset on disk: schema, the Beam pipeline that writes it, the tf.data input."""
