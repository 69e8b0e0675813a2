package org.cnnkeras.demo.ui.camera

import android.graphics.Matrix
import android.view.Surface
import kotlin.math.max
import org.cnnkeras.demo.image.Orientation

/** Converts `Surface.ROTATION_*` of a display to degrees. */
fun displayRotationDegrees(displayRotation: Int): Int = when (displayRotation) {
    Surface.ROTATION_90 -> 90
    Surface.ROTATION_180 -> 180
    Surface.ROTATION_270 -> 270
    else -> 0
}

/**
 * Returns the orientation of a camera's images, relative to the screen.
 *
 * Reference: Android's documentation of `SENSOR_ORIENTATION` and of `Display.getRotation`, which is
 * opposite to the rotation of the device.
 */
fun imageOrientation(camera: CameraInfo, displayDegrees: Int): Orientation {
    val sign = if (camera.isFront) 1 else -1
    return when ((camera.sensorDegrees + sign * displayDegrees + 360) % 360) {
        90 -> Orientation.CLOCKWISE
        180 -> Orientation.HALF_TURN
        270 -> Orientation.COUNTERCLOCKWISE
        else -> Orientation.NORMAL
    }
}

/**
 * Returns the transform that makes a preview fill a view of [width] × [height] pixels.
 *
 * The preview is upright, keeps its aspect ratio and is cropped at the center, as the network input
 * is. Without a transform, a `TextureView` stretches the images to its size, upright in the natural
 * orientation of the phone.
 */
fun previewTransform(camera: CameraInfo, displayDegrees: Int, width: Float, height: Float): Matrix {
    val isSideways = camera.sensorDegrees % 180 != 0
    val upright = if (isSideways) camera.size.height to camera.size.width else
        camera.size.width to camera.size.height
    val (imageWidth, imageHeight) = upright
    val isRotated = displayDegrees % 180 != 0
    val scale = if (isRotated) max(width / imageHeight, height / imageWidth) else
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
