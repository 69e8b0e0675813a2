package org.cnnkeras.demo.ui.camera

import android.annotation.SuppressLint
import android.annotation.TargetApi
import android.content.Context
import android.graphics.ImageFormat
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CaptureRequest
import android.hardware.camera2.params.OutputConfiguration
import android.hardware.camera2.params.SessionConfiguration
import android.media.Image
import android.media.ImageReader
import android.os.Build
import android.os.Handler
import android.os.HandlerThread
import android.util.Size
import android.view.Surface
import java.io.Closeable
import kotlin.math.abs

/**
 * What a camera is to the app.
 *
 * @property sensorDegrees how far its images are to be turned clockwise to stand upright on a phone
 *     held as it was built to be
 * @property size of its images and of the preview, not turned
 */
class Lens(val id: String, val isFront: Boolean, val sensorDegrees: Int, val size: Size)

/** Lists the cameras that look to the back, then the others; none if the service is away. */
fun lenses(manager: CameraManager): List<Lens> = try {
    manager.cameraIdList.mapNotNull { id ->
        val facts = manager.getCameraCharacteristics(id)
        val sizes = facts[CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP]
            ?.getOutputSizes(ImageFormat.YUV_420_888)
        if (sizes.isNullOrEmpty()) null else Lens(
            id,
            isFront = facts[CameraCharacteristics.LENS_FACING] ==
                CameraCharacteristics.LENS_FACING_FRONT,
            sensorDegrees = facts[CameraCharacteristics.SENSOR_ORIENTATION] ?: 0,
            size = sizes.minBy { abs(it.width.toLong() * it.height - PIXELS) },
        )
    }.sortedBy { it.isFront }
} catch (_: CameraAccessException) {
    emptyList()
}

/** Enough for any network of the zoo, and little to copy: 640 × 480. */
private const val PIXELS = 640L * 480

/**
 * An open camera, which shows its images on a preview and hands each to [onImage], on a thread of
 * its own, until it is closed.
 *
 * @param onImage gets an image that is closed when it returns
 * @param onFailure called at most once, on that thread, when the camera cannot be used any more
 */
class CameraFeed(
    context: Context,
    private val lens: Lens,
    preview: SurfaceTexture,
    private val onImage: (Image) -> Unit,
    private val onFailure: () -> Unit,
) : Closeable {
    private val manager = context.getSystemService(CameraManager::class.java)
    private val thread = HandlerThread("camera").apply { start() }
    private val handler = Handler(thread.looper)
    private val reader = ImageReader.newInstance(
        lens.size.width,
        lens.size.height,
        ImageFormat.YUV_420_888,
        IMAGES,
    )
    private val surface: Surface
    private var device: CameraDevice? = null

    // Of the camera's thread alone.
    private var isClosed = false

    init {
        preview.setDefaultBufferSize(lens.size.width, lens.size.height)
        surface = Surface(preview)
        reader.setOnImageAvailableListener({ it.acquireLatestImage()?.use(onImage) }, handler)
        handler.post(::open)
    }

    @SuppressLint("MissingPermission") // the screen asks for it before it makes a feed
    private fun open() = guarded { manager.openCamera(lens.id, Opened(), handler) }

    private inner class Opened : CameraDevice.StateCallback() {
        override fun onOpened(camera: CameraDevice) {
            if (isClosed) return camera.close()
            device = camera
            guarded { startSession(camera) }
        }

        override fun onDisconnected(camera: CameraDevice) = fail()

        override fun onError(camera: CameraDevice, error: Int) = fail()
    }

    private fun startSession(camera: CameraDevice) {
        val surfaces = listOf(surface, reader.surface)
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) {
            startConfiguredSession(camera, surfaces)
        } else {
            @Suppress("DEPRECATION") // its successor came with Android 9
            camera.createCaptureSession(surfaces, Configured(), handler)
        }
    }

    @TargetApi(Build.VERSION_CODES.P)
    private fun startConfiguredSession(camera: CameraDevice, surfaces: List<Surface>) =
        camera.createCaptureSession(
            SessionConfiguration(
                SessionConfiguration.SESSION_REGULAR,
                surfaces.map(::OutputConfiguration),
                { handler.post(it) },
                Configured(),
            ),
        )

    private inner class Configured : CameraCaptureSession.StateCallback() {
        override fun onConfigured(session: CameraCaptureSession) {
            if (isClosed) return
            guarded {
                val request = session.device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW)
                request.addTarget(surface)
                request.addTarget(reader.surface)
                request[CaptureRequest.CONTROL_AF_MODE] =
                    CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE
                session.setRepeatingRequest(request.build(), null, handler)
            }
        }

        override fun onConfigureFailed(session: CameraCaptureSession) = fail()
    }

    /** Runs what fails when another app takes the camera, or the phone forbids it. */
    private fun guarded(action: () -> Unit) {
        try {
            action()
        } catch (_: CameraAccessException) {
            fail()
        } catch (_: SecurityException) { // the permission was taken back meanwhile
            fail()
        } catch (_: IllegalStateException) { // the camera was closed meanwhile
            fail()
        } catch (_: IllegalArgumentException) { // the camera was unplugged meanwhile
            fail()
        }
    }

    private fun fail() {
        if (isClosed) return
        onFailure()
        release()
    }

    /** Returns at once; the camera is free for other apps soon after. */
    override fun close() {
        handler.post {
            release()
            thread.quitSafely()
        }
    }

    private fun release() {
        if (isClosed) return
        isClosed = true
        device?.close()
        reader.close()
        surface.release()
    }

    private companion object {
        const val IMAGES = 3 // one that is read, one that waits, one that is written
    }
}
