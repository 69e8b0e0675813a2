package org.cnnkeras.demo.ui.camera

import android.annotation.SuppressLint
import android.annotation.TargetApi
import android.content.Context
import android.graphics.ImageFormat
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
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
import android.view.Surface
import java.io.Closeable

/**
 * An open camera that sends its images to a preview and to [onImage] until it is closed.
 *
 * @param onImage receives each image on the camera thread; the image is closed when it returns
 * @param onFailure called at most once, on the camera thread, if the camera becomes unusable
 */
class CameraFeed(
    context: Context,
    private val info: CameraInfo,
    preview: SurfaceTexture,
    private val onImage: (Image) -> Unit,
    private val onFailure: () -> Unit,
) : Closeable {
    private val manager = context.getSystemService(CameraManager::class.java)
    private val thread = HandlerThread("camera").apply { start() }
    private val handler = Handler(thread.looper)
    private val reader = ImageReader.newInstance(
        info.size.width,
        info.size.height,
        ImageFormat.YUV_420_888,
        MAX_IMAGES,
    )
    private val surface: Surface
    private var device: CameraDevice? = null

    // The camera thread alone uses it.
    private var isClosed = false

    init {
        preview.setDefaultBufferSize(info.size.width, info.size.height)
        surface = Surface(preview)
        reader.setOnImageAvailableListener({ it.acquireLatestImage()?.use(onImage) }, handler)
        handler.post(::open)
    }

    @SuppressLint("MissingPermission") // CameraActivity requests it before it creates a feed
    private fun open() = failOnError { manager.openCamera(info.id, DeviceCallback(), handler) }

    private inner class DeviceCallback : CameraDevice.StateCallback() {
        override fun onOpened(camera: CameraDevice) {
            if (isClosed) return camera.close()
            device = camera
            failOnError { startSession(camera) }
        }

        override fun onDisconnected(camera: CameraDevice) = fail()

        override fun onError(camera: CameraDevice, error: Int) = fail()
    }

    private fun startSession(camera: CameraDevice) {
        val surfaces = listOf(surface, reader.surface)
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) {
            startConfiguredSession(camera, surfaces)
        } else {
            @Suppress("DEPRECATION") // the replacement needs Android 9
            camera.createCaptureSession(surfaces, SessionCallback(), handler)
        }
    }

    @TargetApi(Build.VERSION_CODES.P)
    private fun startConfiguredSession(camera: CameraDevice, surfaces: List<Surface>) =
        camera.createCaptureSession(
            SessionConfiguration(
                SessionConfiguration.SESSION_REGULAR,
                surfaces.map(::OutputConfiguration),
                { handler.post(it) },
                SessionCallback(),
            ),
        )

    private inner class SessionCallback : CameraCaptureSession.StateCallback() {
        override fun onConfigured(session: CameraCaptureSession) {
            if (isClosed) return
            failOnError {
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

    /** Calls the camera service; fails if another app takes the camera or the system denies it. */
    private fun failOnError(action: () -> Unit) {
        try {
            action()
        } catch (_: CameraAccessException) {
            fail()
        } catch (_: SecurityException) { // the user has revoked the permission
            fail()
        } catch (_: IllegalStateException) { // the camera is closed
            fail()
        } catch (_: IllegalArgumentException) { // the camera is unplugged
            fail()
        }
    }

    private fun fail() {
        if (isClosed) return
        onFailure()
        release()
    }

    /** Returns immediately; the camera thread then releases the camera. */
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
        const val MAX_IMAGES = 3 // one to read, one to wait, one to write
    }
}
