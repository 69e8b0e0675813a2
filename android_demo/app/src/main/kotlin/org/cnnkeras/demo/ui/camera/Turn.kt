package org.cnnkeras.demo.ui.camera

import android.graphics.Matrix
import android.view.Surface
import kotlin.math.max
import org.cnnkeras.demo.image.Orientation

/** Degrees by which the system turns what it draws, from a display's `Surface.ROTATION_*`. */
fun degrees(displayRotation: Int): Int = when (displayRotation) {
    Surface.ROTATION_90 -> 90
    Surface.ROTATION_180 -> 180
    Surface.ROTATION_270 -> 270
    else -> 0
}

/**
 * How a camera's images are to be turned so that they stand upright on the screen.
 *
 * Reference: Android's documentation of `SENSOR_ORIENTATION`, and of `Display.getRotation`, which
 * counts against the device.
 */
fun orientation(lens: Lens, displayDegrees: Int): Orientation {
    val sign = if (lens.isFront) 1 else -1
    return when ((lens.sensorDegrees + sign * displayDegrees + 360) % 360) {
        90 -> Orientation.CLOCKWISE
        180 -> Orientation.HALF_TURN
        270 -> Orientation.COUNTERCLOCKWISE
        else -> Orientation.NORMAL
    }
}

/**
 * What makes a preview fill a view of [width] × [height] upright and undistorted, cut off evenly,
 * as the network's picture is. A `TextureView` by itself stretches the images to its size, upright
 * for a phone that is held as it was built to be.
 */
fun previewTransform(lens: Lens, displayDegrees: Int, width: Float, height: Float): Matrix {
    val isSideways = lens.sensorDegrees % 180 != 0
    val upright = if (isSideways) lens.size.height to lens.size.width else
        lens.size.width to lens.size.height
    val (imageWidth, imageHeight) = upright
    val isTurned = displayDegrees % 180 != 0
    val scale = if (isTurned) max(width / imageHeight, height / imageWidth) else
        max(width / imageWidth, height / imageHeight)
    return Matrix().apply {
        setScale(
            scale * imageWidth / width,
            scale * imageHeight / height,
            width / 2,
            height / 2,
        )
        postRotate(-displayDegrees.toFloat(), width / 2, height / 2)
    }
}
