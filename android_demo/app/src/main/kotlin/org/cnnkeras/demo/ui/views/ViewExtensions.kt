package org.cnnkeras.demo.ui.views

import android.app.Activity
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.TextView

/** Returns a view of the activity; `requireViewById` needs Android 9. */
fun <T : View> Activity.requireView(id: Int): T = findViewById(id)!!

/** Returns a descendant of this view. */
fun <T : View> View.requireView(id: Int): T = findViewById(id)!!

/** Whether a view is visible; an invisible one takes no space. */
var View.isVisible: Boolean
    get() = visibility == View.VISIBLE
    set(value) {
        visibility = if (value) View.VISIBLE else View.GONE
    }

/** Sets a text only if it changes, because a screen reader announces every new text. */
fun TextView.setTextIfChanged(value: CharSequence) {
    if (text.toString() != value.toString()) text = value
}

/** Makes a group have one child per item, reuses existing children, and binds each item. */
fun <T> ViewGroup.bindChildren(items: List<T>, layout: Int, bind: View.(T) -> Unit) {
    while (childCount > items.size) removeViewAt(childCount - 1)
    while (childCount < items.size) LayoutInflater.from(context).inflate(layout, this, true)
    items.forEachIndexed { index, item -> getChildAt(index).bind(item) }
}
