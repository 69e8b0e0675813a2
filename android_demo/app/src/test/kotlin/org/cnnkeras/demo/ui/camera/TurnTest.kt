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
class TurnTest {
    private val back = Lens("0", isFront = false, sensorDegrees = 90, size = Size(640, 480))
    private val front = Lens("1", isFront = true, sensorDegrees = 270, size = Size(640, 480))

    /** Where a point of the stretched preview, as a share of a square view, comes to lie. */
    private fun moved(lens: Lens, displayDegrees: Int, x: Float, y: Float): FloatArray {
        val points = floatArrayOf(x * 100, y * 100)
        previewTransform(lens, displayDegrees, 100f, 100f).mapPoints(points)
        return points
    }

    @Test
    fun aPhoneHeldUprightTurnsTheBackCamerasImagesClockwise() =
        assertEquals(Orientation.CLOCKWISE, orientation(back, 0))

    @Test
    fun aPhoneOnItsLeftSideHasThemUpright() =
        assertEquals(Orientation.NORMAL, orientation(back, 90))

    @Test
    fun aPhoneOnItsRightSideHasThemUpsideDown() =
        assertEquals(Orientation.HALF_TURN, orientation(back, 270))

    @Test
    fun theFrontCameraTurnsTheOtherWay() {
        assertEquals(Orientation.COUNTERCLOCKWISE, orientation(front, 0))
        assertEquals(Orientation.NORMAL, orientation(front, 90))
    }

    @Test
    fun anUprightPreviewIsCutOffAboveAndBelow() {
        // 480 × 640 on 100 × 100: a sixth of the height is beyond each edge.
        assertArrayEquals(floatArrayOf(0f, -100f / 6), moved(back, 0, 0f, 0f), 1e-3f)
        assertArrayEquals(floatArrayOf(50f, 50f), moved(back, 0, 0.5f, 0.5f), 1e-3f)
    }

    @Test
    fun aTurnedPreviewIsTurnedBack() {
        // The system turned the view clockwise by 90°; what was its top is now its left.
        assertArrayEquals(floatArrayOf(-100f / 6, 50f), moved(back, 90, 0.5f, 0f), 1e-3f)
    }
}
