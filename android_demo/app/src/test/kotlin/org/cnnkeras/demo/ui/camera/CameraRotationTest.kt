package org.cnnkeras.demo.ui.camera

import android.util.Size
import org.cnnkeras.demo.image.Orientation
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34])
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class CameraRotationTest {
    private val back = CameraInfo("0", isFront = false, sensorDegrees = 90, size = Size(640, 480))
    private val front = CameraInfo("1", isFront = true, sensorDegrees = 270, size = Size(640, 480))

    /** Transforms a point of the preview; [x] and [y] are fractions of a square view. */
    private fun transformed(
        camera: CameraInfo,
        displayDegrees: Int,
        x: Float,
        y: Float,
    ): FloatArray {
        val points = floatArrayOf(x * 100, y * 100)
        previewTransform(camera, displayDegrees, 100f, 100f).mapPoints(points)
        return points
    }

    @Test
    fun backCameraInPortraitIsRotatedClockwise() =
        assertEquals(Orientation.CLOCKWISE, imageOrientation(back, 0))

    @Test
    fun backCameraInLandscapeIsNotRotated() =
        assertEquals(Orientation.NORMAL, imageOrientation(back, 90))

    @Test
    fun backCameraInReverseLandscapeIsRotatedByHalfATurn() =
        assertEquals(Orientation.HALF_TURN, imageOrientation(back, 270))

    @Test
    fun frontCameraIsRotatedInTheOppositeDirection() {
        assertEquals(Orientation.COUNTERCLOCKWISE, imageOrientation(front, 0))
        assertEquals(Orientation.NORMAL, imageOrientation(front, 90))
    }

    @Test
    fun portraitPreviewIsCroppedAtTopAndBottom() {
        // 480 × 640 in 100 × 100: a sixth of the view is cropped at each edge.
        assertArrayEquals(floatArrayOf(0f, -100f / 6), transformed(back, 0, 0f, 0f), 1e-3f)
        assertArrayEquals(floatArrayOf(50f, 50f), transformed(back, 0, 0.5f, 0.5f), 1e-3f)
    }

    @Test
    fun landscapePreviewIsRotatedBack() {
        // The system rotates the view by 90°, so that its top is at the left.
        assertArrayEquals(floatArrayOf(-100f / 6, 50f), transformed(back, 90, 0.5f, 0f), 1e-3f)
    }
}
