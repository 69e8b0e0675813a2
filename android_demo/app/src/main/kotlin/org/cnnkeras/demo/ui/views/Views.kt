package org.cnnkeras.demo.ui.views

import android.annotation.TargetApi
import android.app.Activity
import android.os.Build
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.view.WindowInsets
import android.widget.TextView

/** A view of the screen's layout; `requireViewById` came with Android 9. */
fun <T : View> Activity.part(id: Int): T = findViewById(id)!!

/** A view within this one. */
fun <T : View> View.part(id: Int): T = findViewById(id)!!

/** Shows or removes a view. */
var View.isPresent: Boolean
    get() = visibility == View.VISIBLE
    set(value) {
        visibility = if (value) View.VISIBLE else View.GONE
    }

/** Sets a text where it changes, so that a screen reader reads only what is new. */
fun TextView.update(value: CharSequence) {
    if (text.toString() != value.toString()) text = value
}

/** Fills a group with one view per item, and keeps those that it has. */
fun <T> ViewGroup.fill(items: List<T>, layout: Int, bind: View.(T) -> Unit) {
    while (childCount > items.size) removeViewAt(childCount - 1)
    while (childCount < items.size) LayoutInflater.from(context).inflate(layout, this, true)
    items.forEachIndexed { index, item -> getChildAt(index).bind(item) }
}

/**
 * Lets a screen reach below the system's bars, and its contents stay clear of them: the screen
 * leaves out the sides, and what scrolls can be scrolled out from below bars and keyboard.
 */
fun Activity.drawBehindBars(screen: View, scrolling: List<View>) {
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
        reachBelowBars()
    } else {
        @Suppress("DEPRECATION") // its successor came with Android 11
        screen.systemUiVisibility = screen.systemUiVisibility or
            View.SYSTEM_UI_FLAG_LAYOUT_STABLE or
            View.SYSTEM_UI_FLAG_LAYOUT_FULLSCREEN or
            View.SYSTEM_UI_FLAG_LAYOUT_HIDE_NAVIGATION
    }
    screen.setOnApplyWindowInsetsListener { _, insets ->
        val bars = bars(insets)
        for (view in scrolling) view.setPadding(0, bars.top, 0, bars.bottom)
        screen.setPadding(bars.left, screen.paddingTop, bars.right, screen.paddingBottom)
        insets
    }
}

@TargetApi(Build.VERSION_CODES.R)
private fun Activity.reachBelowBars() = window.setDecorFitsSystemWindows(false)

private class Sides(val left: Int, val top: Int, val right: Int, val bottom: Int)

@TargetApi(Build.VERSION_CODES.R)
private fun barsAndCutout(insets: WindowInsets): Sides {
    val types = WindowInsets.Type.systemBars() or WindowInsets.Type.displayCutout()
    return insets.getInsets(types).run { Sides(left, top, right, bottom) }
}

private fun bars(insets: WindowInsets): Sides {
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) return barsAndCutout(insets)
    @Suppress("DEPRECATION") // its successor came with Android 11
    return insets.run {
        Sides(
            systemWindowInsetLeft,
            systemWindowInsetTop,
            systemWindowInsetRight,
            systemWindowInsetBottom,
        )
    }
}
