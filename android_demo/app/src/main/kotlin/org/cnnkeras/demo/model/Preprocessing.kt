package org.cnnkeras.demo.model

/**
 * How an image is converted to the input tensor: cropped at the center, resized, converted to gray
 * or RGB, and normalized to `(pixel - mean) / std` with pixels from 0 to 255.
 *
 * It has the fields of `Preprocessing` in `cnn_keras`, which the exporter writes to the file.
 *
 * @property channels 1 for gray, 3 for RGB
 * @property mean mean of each channel, in pixel values
 * @property std standard deviation of each channel, in pixel values
 */
data class Preprocessing(
    val height: Int,
    val width: Int,
    val channels: Int,
    val mean: List<Float>,
    val std: List<Float>,
)
