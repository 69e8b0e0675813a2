package org.cnnkeras.demo.image

import kotlin.math.abs
import kotlin.math.ln
import kotlin.math.max
import kotlin.math.round
import org.cnnkeras.demo.benchmark.percentile
import org.cnnkeras.demo.model.Preprocessing

/** Backgrounds of gray images of two tones. */
enum class Background { DARK, LIGHT }

/**
 * Returns the background of a network's training images, from their mean and variance; null if the
 * network takes color images, or if its training images have no known background.
 *
 * It is `training_background` in `cnn_keras/data/gray_levels.py`, which gives the reasons.
 */
fun trainingBackground(preprocessing: Preprocessing): Background? {
    if (preprocessing.channels != 1) return null
    val mean = preprocessing.mean.single().toDouble()
    val std = preprocessing.std.single().toDouble()
    if (std <= 0 || abs(mean - MIDDLE_GRAY) < MIN_DISTANCE * std) return null
    val white = mean / 255
    val total = white * (1 - white) / ((std / 255) * (std / 255)) - 1
    if (total <= 0 || max(white * total, (1 - white) * total) >= 1) return null
    return if (mean > MIDDLE_GRAY) Background.LIGHT else Background.DARK
}

/**
 * Inverts an image whose background is light where that of the training images is dark, or the
 * reverse, and stretches its contrast.
 *
 * @return the same pixels if the background of the training images is not known
 */
fun adaptGrayLevels(pixels: Pixels, preprocessing: Preprocessing): Pixels {
    val background = trainingBackground(preprocessing) ?: return pixels
    val upright = if (looksInverted(pixels, background)) inverted(pixels) else pixels
    return stretchContrast(upright, background)
}

/**
 * Returns whether the background of an image is not that of the training images: it is light if the
 * mean log odds of the pixels, from 0 for the darkest to 1 for the brightest, is positive.
 */
fun looksInverted(pixels: Pixels, background: Background): Boolean {
    val levels = levels(pixels)
    val darkest = levels.min()
    val contrast = levels.max() - darkest
    if (contrast == 0.0) return false
    val scale = 255 / contrast
    val logOdds = levels.sumOf { level ->
        val whiteness = ((level - darkest) * scale + 0.5) / 256
        ln(whiteness / (1 - whiteness))
    }
    return logOdds > 0 != (background == Background.LIGHT)
}

/**
 * Makes the background of an image black and its ink white, or the reverse: the median of the
 * pixels becomes the background, and the hundredth that is farthest from it becomes the ink.
 */
fun stretchContrast(pixels: Pixels, background: Background): Pixels {
    if (background == Background.LIGHT) {
        return inverted(stretchContrast(inverted(pixels), Background.DARK))
    }
    val levels = levels(pixels)
    val black = percentile(levels, BACKGROUND_PERCENTILE)
    val scale = 255 / max(percentile(levels, INK_PERCENTILE) - black, 1.0)
    return changed(pixels) { level -> round((level - black) * scale).coerceIn(0.0, 255.0).toInt() }
}

private fun inverted(pixels: Pixels): Pixels = changed(pixels) { 255 - it }

private fun changed(pixels: Pixels, change: (Int) -> Int) = Pixels(
    pixels.width,
    pixels.height,
    pixels.channels,
    ByteArray(pixels.values.size) { change(pixels.values[it].toInt() and 0xFF).toByte() },
)

private fun levels(pixels: Pixels): DoubleArray =
    DoubleArray(pixels.values.size) { (pixels.values[it].toInt() and 0xFF).toDouble() }

private const val MIDDLE_GRAY = 255 / 2.0

/** In standard deviations of the training images, from their mean to middle gray. */
private const val MIN_DISTANCE = 0.5
private const val BACKGROUND_PERCENTILE = 50.0
private const val INK_PERCENTILE = 99.0
