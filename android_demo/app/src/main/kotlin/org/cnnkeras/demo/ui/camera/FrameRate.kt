package org.cnnkeras.demo.ui.camera

/** Counts how often something happened within the last second or so. */
class FrameRate {
    private val times = ArrayDeque<Long>()

    /**
     * Counts one more.
     *
     * @param nanos when, by a clock that never goes back
     * @return how many a second; 0 for the first
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
