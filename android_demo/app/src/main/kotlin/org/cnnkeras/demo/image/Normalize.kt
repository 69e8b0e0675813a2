package org.cnnkeras.demo.image

import org.cnnkeras.demo.model.Preprocessing

/**
 * Computes `(pixel - mean) / std` in single precision, as NumPy does.
 *
 * @return `(height, width, channels)`
 */
fun normalize(pixels: Pixels, preprocessing: Preprocessing): FloatArray {
    val channels = pixels.channels
    val values = FloatArray(pixels.values.size)
    for (channel in 0 until channels) {
        val mean = preprocessing.mean[channel]
        val std = preprocessing.std[channel]
        for (index in channel until values.size step channels) {
            values[index] = ((pixels.values[index].toInt() and 0xFF) - mean) / std
        }
    }
    return values
}
