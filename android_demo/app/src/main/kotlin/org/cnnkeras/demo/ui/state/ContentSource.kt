package org.cnnkeras.demo.ui.state

import android.content.ContentResolver
import android.net.Uri
import android.provider.OpenableColumns
import java.io.IOException
import java.io.InputStream

/** A file that another app offers by its address. */
class ContentSource(private val resolver: ContentResolver, private val uri: Uri) : Source {
    override fun name(): String = displayName() ?: uri.lastPathSegment ?: uri.toString()

    override fun open(): InputStream = foreign { resolver.openInputStream(uri) }
        ?: throw IOException("$uri has no content.")

    private fun displayName(): String? {
        if (uri.scheme != ContentResolver.SCHEME_CONTENT) return null
        val columns = arrayOf(OpenableColumns.DISPLAY_NAME)
        return foreign { resolver.query(uri, columns, null, null, null) }?.use { cursor ->
            if (cursor.moveToFirst()) cursor.getString(0) else null
        }
    }

    /** Runs another app's code, which may throw anything, a revoked permission to begin with. */
    private fun <T> foreign(ask: () -> T): T = try {
        ask()
    } catch (error: RuntimeException) {
        throw IOException("$uri cannot be read.", error)
    }
}
