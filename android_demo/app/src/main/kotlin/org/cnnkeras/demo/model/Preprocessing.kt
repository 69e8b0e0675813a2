package org.cnnkeras.demo.model

/**
 * How a picture becomes a tensor: cropped at the center, resized, made gray or RGB, and
 * `(pixel - mean) / std`, pixels from 0 to 255.
 *
 * The same value as `cnn_keras.preprocessing.Preprocessing`, which writes it into the file.
 *
 * @property channels 1 for gray, 3 for RGB
 * @property mean subtracted from each channel, in pixel values
 * @property std divides each channel, in pixel values
 */
data class Preprocessing(
    val height: Int,
    val width: Int,
    val channels: Int,
    val mean: List<Float>,
    val std: List<Float>,
)
