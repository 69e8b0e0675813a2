package org.cnnkeras.demo.ui.views

import android.annotation.TargetApi
import android.app.Activity
import android.os.Build
import android.view.View
import android.view.WindowInsets

/**
 * Draws a screen behind the system bars and keeps its content clear of them.
 *
 * @param screen the root view; its horizontal padding keeps the bars at the sides free
 * @param scrolling the scroll views; their vertical padding lets the content scroll past the bars
 */
fun Activity.enableEdgeToEdge(screen: View, scrolling: List<View>) {
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
        drawBehindBars()
    } else {
        @Suppress("DEPRECATION") // the replacement needs Android 11
        screen.systemUiVisibility = screen.systemUiVisibility or
            View.SYSTEM_UI_FLAG_LAYOUT_STABLE or
            View.SYSTEM_UI_FLAG_LAYOUT_FULLSCREEN or
            View.SYSTEM_UI_FLAG_LAYOUT_HIDE_NAVIGATION
    }
    screen.setOnApplyWindowInsetsListener { _, insets ->
        val bars = barInsets(insets)
        for (view in scrolling) view.setPadding(0, bars.top, 0, bars.bottom)
        screen.setPadding(bars.left, screen.paddingTop, bars.right, screen.paddingBottom)
        insets
    }
}

@TargetApi(Build.VERSION_CODES.R)
private fun Activity.drawBehindBars() = window.setDecorFitsSystemWindows(false)

private class Insets(val left: Int, val top: Int, val right: Int, val bottom: Int)

@TargetApi(Build.VERSION_CODES.R)
private fun barAndCutoutInsets(insets: WindowInsets): Insets {
    val types = WindowInsets.Type.systemBars() or WindowInsets.Type.displayCutout()
    return insets.getInsets(types).run { Insets(left, top, right, bottom) }
}

private fun barInsets(insets: WindowInsets): Insets {
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) return barAndCutoutInsets(insets)
    @Suppress("DEPRECATION") // the replacement needs Android 11
    return insets.run {
        Insets(
            systemWindowInsetLeft,
            systemWindowInsetTop,
            systemWindowInsetRight,
            systemWindowInsetBottom,
        )
    }
}
