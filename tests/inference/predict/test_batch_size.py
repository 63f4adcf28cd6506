import keras

from flexunet.inference.predict.batch_size import batch_size_for


def model_of(side, filters):
    image = keras.Input((side, side, 3))
    return keras.Model(image, keras.layers.Conv2D(filters, 1)(image))


def test_as_many_as_fit_into_a_quarter_of_a_gibibyte_without_a_gpu():
    # 512 x 512 x 32 float32 are 32 MiB, counted four times.
    assert batch_size_for(model_of(512, 32), 7) == 2
    assert batch_size_for(model_of(512, 1024), 7) == 1
    assert batch_size_for(model_of(16, 4), 7) == 32


def test_a_model_that_tells_no_layers_takes_what_is_configured():
    assert batch_size_for(object(), 7) == 7


def test_a_model_within_a_model_counts_its_layers():
    inner = keras.Sequential([keras.layers.Conv2D(32, 1), keras.layers.Conv2D(2, 1)])
    image = keras.Input((512, 512, 3))
    assert batch_size_for(keras.Model(image, inner(image)), 7) == 2
