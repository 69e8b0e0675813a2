package org.cnnkeras.demo.ui.camera

/** Measures the frame rate over the last 1.5 seconds. */
class FrameRate {
    private val times = ArrayDeque<Long>()

    /**
     * Adds a frame.
     *
     * @param nanos its time, from a monotonic clock
     * @return frames per second; 0 for the first frame
     */
    fun tick(nanos: Long): Double {
        times += nanos
        while (nanos - times.first() > WINDOW_NANOS && times.size > 2) times.removeFirst()
        if (times.size < 2 || nanos == times.first()) return 0.0
        return (times.size - 1) * 1e9 / (nanos - times.first())
    }

    private companion object {
        const val WINDOW_NANOS = 1_500_000_000L
    }
}
