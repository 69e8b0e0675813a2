package org.cnnkeras.demo.ui.camera

import android.graphics.ImageFormat
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraManager
import android.util.Size
import kotlin.math.abs

/**
 * The properties of a camera that the app uses.
 *
 * @property sensorDegrees clockwise rotation that makes its images upright in the natural
 *     orientation of the phone
 * @property size size of its images and of the preview, before the rotation
 */
class CameraInfo(
    val id: String,
    val isFront: Boolean,
    val sensorDegrees: Int,
    val size: Size,
)

/** Lists the back cameras, then the front cameras; empty if the camera service fails. */
fun listCameras(manager: CameraManager): List<CameraInfo> = try {
    manager.cameraIdList.mapNotNull { id ->
        val characteristics = manager.getCameraCharacteristics(id)
        val sizes = characteristics[CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP]
            ?.getOutputSizes(ImageFormat.YUV_420_888)
        if (sizes.isNullOrEmpty()) null else CameraInfo(
            id,
            isFront = characteristics[CameraCharacteristics.LENS_FACING] ==
                CameraCharacteristics.LENS_FACING_FRONT,
            sensorDegrees = characteristics[CameraCharacteristics.SENSOR_ORIENTATION] ?: 0,
            size = sizes.minBy { abs(it.width.toLong() * it.height - TARGET_PIXELS) },
        )
    }.sortedBy { it.isFront }
} catch (_: CameraAccessException) {
    emptyList()
}

/** Large enough for the input of every network here, and fast to copy. */
private const val TARGET_PIXELS = 640L * 480
